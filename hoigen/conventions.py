"""Frames, units and orders, in one page. Everything in hoigen keeps to them.

* SI units and radians. Depth is metres along the optical axis (not ray length); NaN = unknown, +infinity = nothing is
  there.
* Right-handed frames. Camera optical frame: x right, y down, z forward (REP-103 ``*_optical``).
* ``T_to_from`` maps points of ``from`` into ``to``: ``T_world_cam @ T_cam_obj == T_world_obj``.
* Pixel centres lie at integers: the first pixel covers [-0.5, 0.5), so a centred principal point is
  ``cx = (width - 1) / 2``.
* Quaternions are w, x, y, z here and x, y, z, w in messages; only :mod:`hoigen.messages` reorders
  them.
* Time is ``stamp_ns`` of the source (int), never the wall clock.
* Images are ``[H, W, 3]`` uint8 RGB. Videos put time first: ``[T, H, W, 3]``.
* Rows of every array of a clip are the same instant.
"""

HAND = 'hand'
OBJECT = 'object'
SCENE = 'scene'

ROLES = (SCENE, HAND, OBJECT)
"""Role names; a role's code in masks and point tables is its index here: 0 scene, 1 hand, 2 object."""

ROLE_CODE = {name: code for code, name in enumerate(ROLES)}
