"""Publishing: new files are written where no reader looks, then shown all at once, or not at all."""
