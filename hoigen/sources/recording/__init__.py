"""Recordings as a source of footage: videos, folders of frames, RGB-D folders and ROS bags, decoded in a child process.

What is read comes from strangers, so that nothing is decoded here: a child process with limits of memory and time
does it (``child``), and hands back arrays of bytes with their sizes (``pipe``), never objects.
"""

from hoigen.sources.recording.options import RecordingError, RecordingOptions
from hoigen.sources.recording.recording import Recording, open_recording, read_still

__all__ = ['Recording', 'RecordingError', 'RecordingOptions', 'open_recording', 'read_still']
