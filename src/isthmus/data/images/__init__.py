"""Images: arrays and folders of files."""
