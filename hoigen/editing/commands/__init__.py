"""``hoigen edit insert``, ``move`` and ``remove``: what they read, do and show."""
