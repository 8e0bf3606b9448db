"""Network definitions and nothing else. Importing it prepares torchvision, which timm and smp import."""

from core.networks.torchvision_schemas import declare_missing_schemas

declare_missing_schemas()
