"""nn.Module definitions and nothing else."""
