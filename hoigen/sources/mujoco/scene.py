"""One compiled MuJoCo scene: table, room, lights, the hand and one thing, in a random look."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.conventions import HAND, OBJECT, SCENE
from hoigen.records import MeshAsset
from hoigen.sources.mujoco import meshes, textures
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import HAND_JOINTS, adroit_spec
from hoigen.sources.mujoco.meshes import Mesh
from hoigen.sources.mujoco.objects import Collider, Thing

__all__ = ['FAR_M', 'NEAR_M', 'Scene', 'add_free_thing', 'begin_scene', 'build_scene', 'draw_look', 'finish_scene']

THING, BASE = 'object', 'object_base'
COLLISION_GROUP = 4  # not drawn
UNSCALED = (1.0, 1.0, 1.0)  # the hand's file has meshes in mm by default
NEAR_M, FAR_M = 0.02, 6.0
ROOM_HALF_M, FLOOR_M, CEILING_M = 1.5, -0.75, 1.6  # the table's top is at height 0
TABLE_HALF_M = (0.75, 0.6, 0.02)

SHAPES = {
    'sphere': mujoco.mjtGeom.mjGEOM_SPHERE,
    'capsule': mujoco.mjtGeom.mjGEOM_CAPSULE,
    'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
    'ellipsoid': mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    'box': mujoco.mjtGeom.mjGEOM_BOX,
    'mesh': mujoco.mjtGeom.mjGEOM_MESH,
}


def hand_id(body: str) -> str:
    """The asset of a body of the hand."""
    return f'hand/{body}'


@dataclass(frozen=True, eq=False)
class Scene:
    """A compiled scene and the addresses of its parts.

    colour: the thing's main colour, by name. assets: what is drawn, one asset per body, in the body's frame, and
    asset_bodies: asset id -> body. thing_body, hand_root: bodies. thing_qpos: the thing's coordinates in qpos,
    7 or a lid's 1.
    joint_qpos, joint_ctrl: [30] int, where ``HAND_JOINTS`` lie in qpos and ctrl. hand_geoms, thing_geoms: geoms.
    """

    model: mujoco.MjModel
    thing: Thing
    colour: str
    assets: tuple[MeshAsset, ...]
    asset_bodies: dict[str, int]
    thing_body: int
    hand_root: int
    thing_qpos: slice
    joint_qpos: np.ndarray
    joint_ctrl: np.ndarray
    hand_geoms: np.ndarray
    thing_geoms: np.ndarray


def build_scene(thing: Thing, draws: Draws, texture_size: int) -> Scene:
    """Compile a scene about the thing; every look is drawn from the draws' own split.

    texture_size: of the table's texture, pixels; the other textures and the shadows go with it.
    """
    spec = begin_scene(draws, texture_size)
    colour = _add_thing(spec, thing, draws, texture_size)
    return _addressed(finish_scene(spec, draws), thing, colour)


def begin_scene(draws: Draws, texture_size: int) -> mujoco.MjSpec:
    """The hand in a furnished room."""
    spec = adroit_spec()
    spec.visual.map.znear, spec.visual.map.zfar = NEAR_M, FAR_M
    spec.stat.extent, spec.stat.center = 1.0, np.zeros(3)
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 4 * texture_size, 4
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    _add_surroundings(spec, draws, texture_size)
    _paint_hand(spec, draws)
    return spec


def finish_scene(spec: mujoco.MjSpec, draws: Draws) -> mujoco.MjModel:
    """Light it, and compile it with the camera that the renderer places."""
    _add_lights(spec, draws)
    spec.worldbody.add_camera(name='view')
    return spec.compile()


def _addressed(model: mujoco.MjModel, thing: Thing, colour: str) -> Scene:
    body, hand_root = model.body(THING).id, model.body('forearm').id
    own = [body] if thing.lid is None else [body, model.body(BASE).id]
    assets, asset_bodies = _assets(model, own, hand_root)
    first = int(model.joint(THING).qposadr[0])
    return Scene(
        model,
        thing,
        colour,
        assets,
        asset_bodies,
        body,
        hand_root,
        slice(first, first + len(model.joint(THING).qpos0)),
        joint_qpos=np.array([model.joint(name).qposadr[0] for name in HAND_JOINTS]),
        joint_ctrl=np.array([model.actuator(f'A_{name}').id for name in HAND_JOINTS]),
        hand_geoms=np.flatnonzero(model.body_rootid[model.geom_bodyid] == hand_root),
        thing_geoms=np.flatnonzero(np.isin(model.geom_bodyid, own)),
    )


def _add_mesh(spec: mujoco.MjSpec, name: str, mesh: Mesh) -> None:
    spec.add_mesh(
        name=name,
        scale=UNSCALED,
        uservert=mesh.vertices.ravel(),
        userface=mesh.triangles.ravel(),
        usertexcoord=mesh.uv.astype(np.float32).ravel(),
        userfacetexcoord=mesh.triangles.ravel(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )


def _add_material(
    spec: mujoco.MjSpec,
    name: str,
    picture: np.ndarray,
    repeat: tuple[float, float] = (1, 1),
    specular: float = 0.1,
    shininess: float = 0.2,
) -> None:
    height, width = picture.shape[:2]
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=width, height=height, nchannel=3)
    texture.data = np.ascontiguousarray(picture[::-1]).tobytes()
    material = spec.add_material(name=name, specular=specular, shininess=shininess, texrepeat=repeat)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_surroundings(spec: mujoco.MjSpec, draws: Draws, size: int) -> None:
    world = spec.worldbody
    table_repeat = draws.look(1.0, 2.2)
    wall, floor = meshes.room(ROOM_HALF_M, FLOOR_M, CEILING_M)
    parts = {'table': meshes.slab(TABLE_HALF_M), 'wall': wall, 'floor': floor}
    families = {'table': textures.TABLE_FAMILIES, 'wall': textures.WALL_FAMILIES, 'floor': textures.WALL_FAMILIES}
    for name, mesh in parts.items():
        picture = textures.draw_texture(
            families[name],
            draws,
            size if name == 'table' else size // 2,
            textures.draw_muted(draws),
            textures.draw_muted(draws),
        )
        repeat = (table_repeat, table_repeat) if name == 'table' else (1.0, 1.0)
        _add_material(spec, name, picture, repeat, specular=draws.look(0.0, 0.25), shininess=0.3)
        _add_mesh(spec, name, mesh)
        world.add_body(name=name).add_geom(
            name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=name, contype=0, conaffinity=0, group=1
        )
    world.add_geom(
        name='table_top',
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=TABLE_HALF_M,
        pos=(0, 0, -TABLE_HALF_M[2]),
        group=COLLISION_GROUP,
        contype=1,
        conaffinity=1,
        friction=(0.8, 0.01, 0.001),
    )


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


def draw_look(draws: Draws, size: int) -> tuple[np.ndarray, str]:
    """A thing's texture [size,size,3] uint8 and the name of its colour."""
    base, name = textures.draw_colour(draws)
    accent, _ = textures.draw_colour(draws)
    if np.abs(accent - base).sum() < 0.5:
        accent = np.where(base.mean() > 0.5, base * 0.35, base * 0.35 + 0.6)
    return textures.draw_texture(textures.OBJECT_FAMILIES, draws, size, base, accent), name


def _add_thing(spec: mujoco.MjSpec, thing: Thing, draws: Draws, size: int) -> str:
    """Add the thing, free or hinged to its base; gives the name of its colour."""
    picture, name = draw_look(draws, size // 2)
    _add_material(spec, THING, picture, specular=draws.look(0.1, 0.8), shininess=draws.look(0.1, 0.8))
    mass, friction = draws.look(0.05, 0.25), draws.look(0.9, 1.3)
    if thing.lid is None:
        body = spec.worldbody.add_body(name=THING)
        body.add_freejoint(name=THING)
    else:
        stand = spec.worldbody.add_body(name=BASE)
        _add_solid(spec, stand, thing.lid.base, thing.lid.base_colliders, 1.0, friction)
        body = stand.add_body(name=THING, pos=thing.lid.hinge)
        body.add_joint(
            name=THING,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=(-1, 0, 0),
            range=(0, 1.9),
            damping=0.05,
            frictionloss=0.03,
        )
        spec.add_exclude(bodyname1=BASE, bodyname2=THING)  # the hinge's range keeps them apart
    _add_solid(spec, body, thing.mesh, thing.colliders, mass if thing.lid is None else 0.3 * mass, friction)
    return name


def add_free_thing(spec: mujoco.MjSpec, name: str, thing: Thing, picture: np.ndarray, draws: Draws) -> None:
    """Add one more thing with this texture, as a free body of this name."""
    _add_material(spec, name, picture, specular=draws.look(0.1, 0.8), shininess=draws.look(0.1, 0.8))
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint(name=name)
    _add_solid(spec, body, thing.mesh, thing.colliders, draws.look(0.05, 0.25), draws.look(0.9, 1.3), name)


def _add_solid(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    mesh: Mesh,
    colliders: tuple[Collider, ...],
    mass: float,
    friction: float,
    material: str = THING,
) -> None:
    """What is seen of a body of the thing, and what is touched: the first collider has most of the mass."""
    _add_mesh(spec, body.name, mesh)
    body.add_geom(
        name=body.name,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=body.name,
        material=material,
        contype=0,
        conaffinity=0,
        group=1,
        mass=0.0,
    )
    rest = len(colliders) - 1
    for number, piece in enumerate(colliders):
        share = 1.0 if not rest else 0.75 if number == 0 else 0.25 / rest
        _add_collider(spec, body, piece, f'{body.name}_{number}', mass * share, friction)


def _add_collider(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, piece: Collider, name: str, mass: float, friction: float
) -> None:
    geom = body.add_geom(
        type=SHAPES[piece.kind],
        pos=piece.at,
        group=COLLISION_GROUP,
        contype=1,
        conaffinity=1,
        condim=4,
        friction=(friction, 0.01, 0.001),
        mass=mass,
        name=name,
    )
    if piece.kind == 'mesh':
        spec.add_mesh(name=geom.name, scale=UNSCALED, uservert=np.asarray(piece.points).ravel())
        geom.meshname = geom.name
    else:
        geom.size[: len(piece.size)] = piece.size
        quat = np.zeros(4)
        mujoco.mju_quatZ2Vec(quat, np.asarray(piece.axis, float) / np.linalg.norm(piece.axis))
        geom.quat = quat


def _add_lights(spec: mujoco.MjSpec, draws: Draws) -> None:
    """A warm or cool key light that throws shadows, a weak one from the other side, and some from all round."""
    warm = draws.look(-1, 1) * np.array([0.06, 0.0, -0.06])
    strength = draws.look(0.52, 0.70)
    turn, height = draws.free(0, 2 * np.pi), draws.free(1.9, 2.3)
    aside = draws.free(0.3, 1.1)
    for sign, share, shadow in ((1, 1.0, True), (-1, 0.25, False)):
        at = np.array([sign * aside * np.cos(turn), sign * aside * np.sin(turn), height])
        spec.worldbody.add_light(
            pos=at,
            dir=-at / np.linalg.norm(at),
            castshadow=shadow,
            cutoff=38,
            exponent=1,
            diffuse=share * strength * (1 + warm),
            specular=np.full(3, 0.5 * share),
            ambient=np.zeros(3),
            attenuation=(0.7, 0.05, 0.06),
        )
    glow = draws.look(0.30, 0.38)
    spec.visual.headlight.ambient = np.full(3, glow)
    spec.visual.headlight.diffuse = np.full(3, 0.15)
    spec.visual.headlight.specular = np.zeros(3)


def _assets(model: mujoco.MjModel, own: list[int], hand_root: int) -> tuple[tuple[MeshAsset, ...], dict[str, int]]:
    """One asset per body of everything drawn, vertices in the body's frame as float32; and each asset's body."""
    parts: dict[int, list[Mesh]] = {}
    for geom in np.flatnonzero(model.geom_group != COLLISION_GROUP):
        mesh = model.mesh(model.geom_dataid[geom])
        rows = slice(mesh.vertadr[0], mesh.vertadr[0] + mesh.vertnum[0])
        faces = slice(mesh.faceadr[0], mesh.faceadr[0] + mesh.facenum[0])
        rotation = Rotation.from_quat(model.geom_quat[geom], scalar_first=True)
        vertices = rotation.apply(model.mesh_vert[rows]) + model.geom_pos[geom]
        part = Mesh(vertices, np.zeros((len(vertices), 2)), model.mesh_face[faces])
        parts.setdefault(int(model.geom_bodyid[geom]), []).append(part)
    assets, bodies = [], {}
    for body, pieces in parts.items():
        role = OBJECT if body in own else HAND if model.body_rootid[body] == hand_root else SCENE
        name = model.body(body).name
        whole = meshes.join(*pieces)
        assets.append(
            MeshAsset(hand_id(name) if role == HAND else name, role, whole.vertices.astype(np.float32), whole.triangles)
        )
        bodies[assets[-1].id] = body
    return tuple(assets), bodies
