"""How good masks are, measured on COCO-style data: average recall, and the IoU of prompted masks."""
