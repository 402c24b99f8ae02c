"""Ends with status 3 and says what to install where the simulator cannot draw off screen on this machine."""

import sys

try:
    from hoigen.sources.mujoco.gl import RenderError, drawing
except RuntimeError as error:  # MUJOCO_GL names a library that is not there
    print(error, file=sys.stderr)
    sys.exit(3)

try:
    with drawing():
        pass
except RenderError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
