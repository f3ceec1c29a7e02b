"""The recurrent layers beside torch.nn and Keras, in turns: ``make bench-recurrent``."""
