"""SAM 2 on a GPU that torch reaches through CUDA: the same weights and results, without waiting for the processor.

Imports nothing else of the engine but the predictor.
"""
