"""Publishing: new files are written where no reader looks, then made visible all at once or not at all."""
