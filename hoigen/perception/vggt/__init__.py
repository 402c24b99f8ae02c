"""VGGT, written anew for published checkpoints: cameras, depth and tracks of RGB video."""

from hoigen.perception.vggt.load import load_vggt
from hoigen.perception.vggt.model import VGGT
from hoigen.perception.vggt.tracker import vggt_tracker

__all__ = ['VGGT', 'load_vggt', 'vggt_tracker']
