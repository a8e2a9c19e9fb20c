"""Training: images and masks in, a safetensors checkpoint with its configuration out."""

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # a mill's network has no way out
