"""Boxes and masks by published models: detectors, SAM 2.1 with SAMURAI's memory."""
