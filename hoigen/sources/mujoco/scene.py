"""One compiled MuJoCo scene: table, room, lights, the hand and one thing, in a random look."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field

import mujoco
import numpy as np

from hoigen.conventions import HAND, OBJECT, SCENE
from hoigen.records import MeshAsset
from hoigen.sources.mujoco import meshes, textures
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import HAND_JOINTS, adroit_spec
from hoigen.sources.mujoco.meshes import Mesh
from hoigen.sources.mujoco.objects import Collider, Thing

__all__ = ['CAMERA', 'Scene', 'build_scene']

CAMERA = 'view'
THING = 'object'
COLLISION_GROUP = 4  # not drawn
UNSCALED = (1.0, 1.0, 1.0)  # the hand's file has meshes in mm by default
SHADOW_MAP = 1024
NEAR_M, FAR_M = 0.02, 6.0
ROOM = {'half_x': 1.5, 'half_y': 1.5, 'floor': -0.75, 'ceiling': 1.6}
TABLE = {'half_x': 0.75, 'half_y': 0.6, 'thickness': 0.04}

SHAPES = {'sphere': mujoco.mjtGeom.mjGEOM_SPHERE, 'capsule': mujoco.mjtGeom.mjGEOM_CAPSULE,
          'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER, 'ellipsoid': mujoco.mjtGeom.mjGEOM_ELLIPSOID,
          'box': mujoco.mjtGeom.mjGEOM_BOX, 'mesh': mujoco.mjtGeom.mjGEOM_MESH}


@dataclass(frozen=True, eq=False)
class Scene:
    """A compiled scene and the addresses of its parts.

    assets: the drawn geometry, one asset per body, in the body's frame. asset_bodies: asset id -> body index.
    colour: the thing's main colour, by name.
    """

    model: mujoco.MjModel
    thing: Thing
    colour: str
    assets: tuple[MeshAsset, ...]
    asset_bodies: dict[str, int]
    body: int = field(init=False)
    hand_root: int = field(init=False)
    object_qpos: slice = field(init=False)
    hand_geoms: np.ndarray = field(init=False)
    object_geoms: np.ndarray = field(init=False)
    joint_qpos: np.ndarray = field(init=False)
    joint_ctrl: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        m, joint = self.model, self.model.joint(THING)
        put = object.__setattr__
        put(self, 'body', m.body(THING).id)
        put(self, 'hand_root', m.body('forearm').id)
        put(self, 'object_qpos', slice(joint.qposadr[0], joint.qposadr[0] + 7))
        put(self, 'hand_geoms', np.flatnonzero(m.body_rootid[m.geom_bodyid] == self.hand_root))
        put(self, 'object_geoms', np.flatnonzero(m.geom_bodyid == self.body))
        put(self, 'joint_qpos', np.array([m.joint(name).qposadr[0] for name in HAND_JOINTS]))
        put(self, 'joint_ctrl', np.array([m.actuator(f'A_{name}').id for name in HAND_JOINTS]))


def build_scene(thing: Thing, draws: Draws, texture_size: int) -> Scene:
    """Compile a scene about the thing; every look is drawn from the draws' own split."""
    spec = adroit_spec()
    spec.visual.map.znear, spec.visual.map.zfar = NEAR_M, FAR_M
    spec.stat.extent, spec.stat.center = 1.0, np.zeros(3)
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = SHADOW_MAP, 4
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    _add_surroundings(spec, draws, texture_size)
    _paint_hand(spec, draws)
    colour = _add_thing(spec, thing, draws, texture_size)
    _add_lights(spec, draws)
    spec.worldbody.add_camera(name=CAMERA)
    model = spec.compile()
    assets, bodies = _assets(model)
    return Scene(model, thing, colour, assets, bodies)


def _add_mesh(spec: mujoco.MjSpec, name: str, mesh: Mesh) -> None:
    spec.add_mesh(name=name, scale=UNSCALED, uservert=mesh.vertices.ravel(), userface=mesh.triangles.ravel(),
                  usertexcoord=mesh.uv.astype(np.float32).ravel(),
                  userfacetexcoord=mesh.triangles.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)


def _add_material(spec: mujoco.MjSpec, name: str, picture: np.ndarray, repeat: tuple[float, float] = (1, 1),
                  specular: float = 0.1, shininess: float = 0.2) -> None:
    n = len(picture)
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=n, height=n, nchannel=3)
    texture.data = np.ascontiguousarray(picture[::-1]).tobytes()
    material = spec.add_material(name=name, specular=specular, shininess=shininess, texrepeat=repeat)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_surroundings(spec: mujoco.MjSpec, draws: Draws, size: int) -> None:
    world = spec.worldbody
    table_repeat = draws.look(1.0, 2.2)
    wall, floor = meshes.room(**ROOM)
    parts = {'table': meshes.slab(**TABLE), 'wall': wall, 'floor': floor}
    families = {'table': textures.TABLE_FAMILIES, 'wall': textures.WALL_FAMILIES, 'floor': textures.WALL_FAMILIES}
    for name, mesh in parts.items():
        picture = textures.draw_texture(families[name], draws, size if name == 'table' else size // 2,
                                        textures.draw_muted(draws), textures.draw_muted(draws))
        repeat = (table_repeat, table_repeat) if name == 'table' else (1.0, 1.0)
        _add_material(spec, name, picture, repeat, specular=draws.look(0.0, 0.25), shininess=0.3)
        _add_mesh(spec, name, mesh)
        world.add_body(name=name).add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name,
                                           contype=0, conaffinity=0, group=1)
    half = (TABLE['half_x'], TABLE['half_y'], TABLE['thickness'] / 2)
    world.add_geom(name='table_top', type=mujoco.mjtGeom.mjGEOM_BOX, size=half, pos=(0, 0, -half[2]),
                   group=COLLISION_GROUP, contype=1, conaffinity=1, friction=(0.8, 0.01, 0.001))


def _paint_hand(spec: mujoco.MjSpec, draws: Draws) -> None:
    """Skin, a glove or a robot's plastic for the hand; cloth or metal for the forearm."""
    kind = draws.pick(('skin', 'skin', 'plastic', 'glove'))
    if kind == 'skin':
        value = draws.look(0.38, 0.95)
        hand = colorsys.hsv_to_rgb(draws.look(0.035, 0.085), draws.look(0.62, 0.40) + 0.12 * (0.7 - value), value)
    elif kind == 'plastic':
        hand = (draws.look(0.25, 0.9),) * 3
    else:
        hand = colorsys.hsv_to_rgb(draws.look(0, 1), draws.look(0.0, 0.7), draws.look(0.12, 0.85))
    sleeve = colorsys.hsv_to_rgb(draws.look(0, 1), draws.look(0.05, 0.6), draws.look(0.15, 0.8))
    palm = spec.material('MatViz')
    palm.rgba, palm.specular, palm.shininess, palm.reflectance = (*hand, 1), 0.25, 0.25, 0.0
    spec.add_material(name='sleeve', rgba=(*sleeve, 1), specular=0.05, shininess=0.1)
    spec.geom('V_forearm').material = 'sleeve'


def _add_thing(spec: mujoco.MjSpec, thing: Thing, draws: Draws, size: int) -> str:
    base, name = textures.draw_colour(draws)
    accent, _ = textures.draw_colour(draws)
    if np.abs(accent - base).sum() < 0.5:
        accent = np.where(base.mean() > 0.5, base * 0.35, base * 0.35 + 0.6)
    _add_material(spec, THING, textures.draw_texture(textures.OBJECT_FAMILIES, draws, size // 2, base, accent),
                  specular=draws.look(0.1, 0.8), shininess=draws.look(0.1, 0.8))
    body = spec.worldbody.add_body(name=THING)
    body.add_freejoint(name=THING)
    _add_mesh(spec, THING, thing.mesh)
    body.add_geom(name=THING, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=THING, material=THING, contype=0,
                  conaffinity=0, group=1, mass=0.0)
    mass, friction = draws.look(0.05, 0.25), draws.look(0.9, 1.3)
    rest = len(thing.colliders) - 1
    for number, piece in enumerate(thing.colliders):  # the first piece is the body of the thing
        share = 1.0 if not rest else 0.75 if number == 0 else 0.25 / rest
        _add_collider(spec, body, piece, number, mass * share, friction)
    return name


def _add_collider(spec: mujoco.MjSpec, body: mujoco.MjsBody, piece: Collider, number: int, mass: float,
                  friction: float) -> None:
    geom = body.add_geom(type=SHAPES[piece.kind], pos=piece.at, group=COLLISION_GROUP, contype=1, conaffinity=1,
                         condim=4, friction=(friction, 0.01, 0.001), mass=mass, name=f'{THING}_{number}')
    if piece.kind == 'mesh':
        spec.add_mesh(name=geom.name, scale=UNSCALED, uservert=piece.points.ravel())
        geom.meshname = geom.name
    else:
        geom.size[:len(piece.size)] = piece.size
        quat = np.zeros(4)
        mujoco.mju_quatZ2Vec(quat, np.asarray(piece.axis, float) / np.linalg.norm(piece.axis))
        geom.quat = quat


def _add_lights(spec: mujoco.MjSpec, draws: Draws) -> None:
    """A warm or cool key light that throws shadows, a weak fill from the other side, and some light from all round."""
    warm = draws.look(-1, 1) * np.array([0.06, 0.0, -0.06])
    strength = draws.look(0.52, 0.70)
    turn, height = draws.free(0, 2 * np.pi), draws.free(1.9, 2.3)
    aside = draws.free(0.3, 1.1)
    for sign, share, shadow in ((1, 1.0, True), (-1, 0.25, False)):
        at = np.array([sign * aside * np.cos(turn), sign * aside * np.sin(turn), height])
        spec.worldbody.add_light(pos=at, dir=-at / np.linalg.norm(at), castshadow=shadow, cutoff=38, exponent=1,
                                 diffuse=share * strength * (1 + warm), specular=np.full(3, 0.5 * share),
                                 ambient=np.zeros(3), attenuation=(0.7, 0.05, 0.06))
    glow = draws.look(0.30, 0.38)
    spec.visual.headlight.ambient = np.full(3, glow)
    spec.visual.headlight.diffuse = np.full(3, 0.15)
    spec.visual.headlight.specular = np.zeros(3)


def _assets(model: mujoco.MjModel) -> tuple[tuple[MeshAsset, ...], dict[str, int]]:
    """One asset per body of everything drawn, vertices in the body's frame as float32."""
    parts: dict[int, list[Mesh]] = {}
    for geom in np.flatnonzero(model.geom_group <= 2):
        mesh = model.geom_dataid[geom]
        start, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        first, number = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
        vertices = model.mesh_vert[start:start + count] @ rotation.reshape(3, 3).T + model.geom_pos[geom]
        parts.setdefault(int(model.geom_bodyid[geom]), []).append(
            Mesh(vertices, np.zeros((count, 2)), model.mesh_face[first:first + number]))
    assets, bodies = [], {}
    hand_root = model.body('forearm').id
    for body, meshes_ in parts.items():
        name = model.body(body).name
        role = OBJECT if name == THING else HAND if model.body_rootid[body] == hand_root else SCENE
        whole = meshes.join(*meshes_)
        key = f'hand/{name}' if role == HAND else name
        assets.append(MeshAsset(key, role, whole.vertices.astype(np.float32), whole.triangles))
        bodies[key] = body
    return tuple(assets), bodies
