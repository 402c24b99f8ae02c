"""Data sets whose folders have a layout of their own: how an RGB-D folder is made of them."""

from __future__ import annotations

import re
from pathlib import Path

from hoigen.sources.recording.options import RecordingError

__all__ = ['calibration_hint', 'refuse_packed']


def refuse_packed(path: Path) -> None:
    """RecordingError for a folder whose colour is a video beside depth, with how to unpack it."""
    if all((path / name).exists() for name in ('rgb.mp4', 'camera_matrix.csv', 'depth')):
        raise RecordingError(
            'expected images beside depth, got a recording of Stray Scanner, whose video is larger than its depth: '
            'mkdir rgb; ffmpeg -i rgb.mp4 -vf scale=256:192 -fps_mode passthrough -start_number 0 rgb/%06d.png; write '
            'camera_matrix.csv, its first two rows times 256 over the width of the video, into K.txt; then say '
            '--frame-rate-hz 60'
        )
    colour = path / 'align_rgb'
    if (colour / 'image.mp4').is_file() and not any(colour.glob('*[0-9].*g')):
        raise RecordingError(
            'expected images beside depth, got a recording of HOI4D, packed as videos: '
            'ffmpeg -i align_rgb/image.mp4 -start_number 0 align_rgb/%05d.png; '
            'ffmpeg -i align_depth/depth_video.avi -start_number 0 align_depth/%05d.png; write K of its camera '
            '(camera_params) into K.txt; then say --frame-rate-hz 15'
        )


def calibration_hint(image: Path) -> str:
    """Where a data set has its intrinsics, by the name of an image of it; '' for one that is not known."""
    if re.fullmatch(r'\d{7}-\d{12}', image.stem):
        return "; Redwood's scans have 525 525 319.5 239.5, as K.txt takes it"
    if re.fullmatch(r'color_\d{6}', image.stem):
        return f'; DexYCB has it in calibration/intrinsics/{image.parent.name}_640x480.yml'
    return ''
