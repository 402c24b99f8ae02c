"""The options of each node, one dataclass in a module of the node's name: the only place where they are declared."""
