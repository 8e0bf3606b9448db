"""The learning rate of an epoch as a pure function: a resumed training needs no scheduler's memory."""

import math

from core.training.supervised.recipe import SupervisedRecipe


def learning_rate(epoch: int, recipe: SupervisedRecipe) -> float:
    """The rate of an epoch, counted from 0.

    Warm-up is linear. CosineAnnealingLR in closed form (Loshchilov and Hutter 2017, arXiv:1608.03983) falls to zero
    over T_max epochs and, stepped on as the paper's 300 epochs with T_max 5 imply, rises again over the next.
    Poly: Chen et al. 2017, arXiv:1606.00915.
    """
    peak = recipe.learning_rate
    if epoch < recipe.warmup_epochs:
        return recipe.warmup_from + (peak - recipe.warmup_from) * epoch / recipe.warmup_epochs
    done = epoch - recipe.warmup_epochs
    if recipe.cosine_epochs is not None:
        return peak * (1 + math.cos(math.pi * done / recipe.cosine_epochs)) / 2
    if recipe.poly_exponent is not None:
        length = max(1, recipe.epochs - recipe.warmup_epochs)
        return peak * math.pow(max(0.0, 1 - done / length), recipe.poly_exponent)
    return peak
