"""The message definitions that a bag embeds: ROS's own and hoigen's."""

from __future__ import annotations

from functools import cache

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hoigen.resources import find


@cache
def typestore() -> Typestore:
    """ROS 2's common types and hoigen's own, by name; shared, so do not register others in it."""
    store = get_typestore(Stores.ROS2_KILTED)
    for path in sorted(find('msg').glob('*.msg')):
        store.register(get_types_from_msg(path.read_text(), f'hoigen/msg/{path.stem}'))
    return store
