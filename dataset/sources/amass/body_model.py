"""The SMPL bodies (SMPL, SMPL-H, SMPL-X) turn the poses that AMASS stores into joint positions.

Only joint positions are needed, so no vertex is ever posed: the joints of the rest pose are regressed from the shaped
template once per clip, then carried along the kinematic tree. Of the tree only the 22 body joints are used: hands,
jaw and eyes hang on them and cannot move them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.errors import InputError
from utils.files.arrays import read_npz
from utils.motion.skeleton import T2M

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Joints in the file of each family; a pose in AMASS has three values for each of them.
FAMILY_JOINTS = {"smpl": 24, "smplh": 52, "smplx": 55}
# So many shape coefficients HumanML3D uses.
NUM_BETAS = 10
# SMPL-X keeps expressions behind its shapes: 300 + 100 columns, or 10 + 10 in its first release.
_SMPLX_EXPRESSIONS = {400: 100, 20: 10}
# A few megabytes of matrices at a time, however long the clip.
_FRAMES_AT_ONCE = 4096
_SITES = "SMPL-H: mano.is.tue.mpg.de (Extended SMPL+H model), SMPL-X: smpl-x.is.tue.mpg.de, SMPL: smpl.is.tue.mpg.de"


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A body of one family and gender, reduced to what its 22 body joints depend on.

    Attributes:
        family: ``smpl``, ``smplh`` or ``smplx``.
        rest_joints: (22, 3) joints of the average shape in the rest pose (metres, Y up), on the computing device.
        shape_offsets: (22, 3, B) how far each joint moves per unit of each shape coefficient.
    """

    family: str
    rest_joints: "Tensor"
    shape_offsets: "Tensor"

    @classmethod
    def load(cls, path: str | Path, device: "str | torch.device" = "cpu", num_betas: int = NUM_BETAS) -> "BodyModel":
        """Read an .npz of the model's own site; the first `num_betas` of its shape coefficients are used.

        Raises InputError with the path for a file that is broken, holds Python objects or is no SMPL body.
        """
        import torch

        arrays = read_npz(path, ("v_template", "shapedirs", "J_regressor", "kintree_table"))
        missing = {"v_template", "shapedirs", "J_regressor", "kintree_table"} - arrays.keys()
        if missing:
            raise InputError(f"{path}: not a body model, it lacks {', '.join(sorted(missing))}")
        template, directions, regressor = arrays["v_template"], arrays["shapedirs"], arrays["J_regressor"]
        for name, array in arrays.items():
            if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
                raise InputError(f"{path}: {name} holds values that are not finite numbers (NaN)")
        family = next((name for name, joints in FAMILY_JOINTS.items() if regressor.shape[:1] == (joints,)), None)
        vertices = template.shape[:1]
        shapes_fit = template.shape == (*vertices, 3) and regressor.shape[1:] == vertices
        if family is None or not shapes_fit or directions.ndim != 3 or directions.shape[:2] != (*vertices, 3):
            raise InputError(
                f"{path}: expected v_template (V, 3), shapedirs (V, 3, B) and J_regressor (24, 52 or 55, V), got "
                f"{template.shape}, {directions.shape} and {regressor.shape}"
            )
        joints = T2M.num_joints
        # The root's parent is stored as -1 or, unsigned, as 4294967295.
        if arrays["kintree_table"].shape != (2, len(regressor)) or not np.array_equal(
            arrays["kintree_table"][0, 1:joints], T2M.parents[1:]
        ):
            raise InputError(f"{path}: kintree_table does not start with the {joints} body joints of SMPL")
        num_shapes = directions.shape[2]
        if family == "smplx":
            num_shapes -= _SMPLX_EXPRESSIONS.get(num_shapes, 0)
        directions = directions[..., : min(num_betas, num_shapes)].astype(np.float64)
        regressor = regressor[:joints].astype(np.float64)

        def tensor(values: np.ndarray) -> "Tensor":
            return torch.tensor(values, dtype=torch.float32, device=device)

        # Regression is linear, so it can be done before the shape is known.
        return cls(family, tensor(regressor @ template), tensor(np.einsum("jv,vkb->jkb", regressor, directions)))

    def joints(self, poses: np.ndarray, betas: np.ndarray, trans: np.ndarray) -> np.ndarray:
        """Joint positions of every frame, in the axes of `poses` and `trans` (AMASS: Z up).

        Args:
            poses: (T, >= 66) axis-angle, radians: root orientation, then the 21 body joints.
            betas: (B,) shape coefficients; missing ones count as 0, those beyond the model's are left out.
            trans: (T, 3) metres.

        Returns:
            (T, 22, 3) float32 metres.
        """
        import torch
        from smplx.lbs import batch_rigid_transform, batch_rodrigues

        count, (frames, width) = T2M.num_joints, poses.shape
        if width < 3 * count or trans.shape != (frames, 3) or betas.ndim != 1:
            raise InputError(
                f"expected poses (T, >= {3 * count}), betas (B,) and trans (T, 3), got {poses.shape}, {betas.shape} "
                f"and {trans.shape}"
            )
        device = self.rest_joints.device
        # The rest pose of this shape, then turned joint by joint along the tree.
        coefficients = torch.tensor(betas[: self.shape_offsets.shape[-1]], dtype=torch.float32, device=device)
        rest = self.rest_joints + self.shape_offsets[..., : len(coefficients)] @ coefficients
        parents = torch.tensor(T2M.parents, device=device)
        result = np.empty((frames, count, 3), dtype=np.float32)
        for start in range(0, frames, _FRAMES_AT_ONCE):
            part = slice(start, min(start + _FRAMES_AT_ONCE, frames))
            turns = torch.tensor(poses[part, : 3 * count], dtype=torch.float32, device=device).reshape(-1, 3)
            rotations = batch_rodrigues(turns).reshape(-1, count, 3, 3)
            posed, _ = batch_rigid_transform(rotations, rest.expand(len(rotations), -1, -1), parents)
            with np.errstate(over="ignore"):  # beyond float32 is infinite, and refused as such
                result[part] = posed.cpu().numpy() + trans[part, None]
        return result


def find_body_model(folder: str | Path, family: str, gender: str) -> Path:
    """The file of a body model, in any layout that these models are distributed in, in upper or lower case.

    ``smplh/male/model.npz``, ``male/model.npz``, ``smplh/SMPLH_MALE.npz`` or ``SMPLH_MALE.npz`` (for SMPL-X and SMPL
    likewise). `gender` is ``male``, ``female`` or ``neutral``; published HumanML3D takes the female body for whatever
    is not male. Raises InputError that lists what was looked for.
    """
    named = f"{family.upper()}_{gender.upper()}.npz"
    layouts = ((family, gender, "model.npz"), (gender, "model.npz"), (family, named), (named,))
    for layout in layouts:
        found = _find_ignoring_case(Path(folder), layout)
        if found is not None:
            return found
    tried = ", ".join("/".join(layout) for layout in layouts)
    raise InputError(
        f"{folder}: no {family} body model of gender {gender!r}; looked for {tried}. {_pickles(Path(folder))}"
        "AMASS stores poses: without its body models there are no joints; download them under their own licence "
        f"({_SITES})"
    )


def _pickles(folder: Path) -> str:
    """What to say about body models in the older form, which are found but never opened."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".pkl" and path.name[:2] != "._")
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"There is {found[0].relative_to(folder)}{more}: a .pkl can run code and is never opened here; take the .npz "
        "of the same site, or save its arrays as one (dataset/sources/README.md says how). "
    )


def _find_ignoring_case(folder: Path, names: Sequence[str]) -> Path | None:
    for name in names:
        if not folder.is_dir():
            return None
        matches = sorted(child for child in folder.iterdir() if child.name.lower() == name.lower())
        if not matches:
            return None
        folder = matches[0]
    return folder if folder.is_file() else None
