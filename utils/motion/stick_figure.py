"""A stick figure shows a motion from a camera that follows it.

Left limbs are blue, right limbs red, the rest dark; the grid stands still on the floor (0.5 m squares where the body
is in metres), so travel, sliding and floating can be seen, and every limb casts a shadow straight down.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from utils.errors import InputError
from utils.motion.body import body_height, bones, side_of
from utils.motion.skeleton import skeleton_with_joints
from utils.motion.smoothing import smoothed

LEFT_COLOUR, RIGHT_COLOUR, CENTRE_COLOUR = (38, 103, 203), (214, 64, 48), (52, 54, 64)
_COLOURS = {"left": LEFT_COLOUR, "right": RIGHT_COLOUR, "centre": CENTRE_COLOUR}
GRID_COLOUR, SHADOW_COLOUR, PATH_COLOUR = (222, 225, 232), (198, 202, 212), (150, 190, 150)
LABEL_COLOUR = (120, 124, 134)
_SUPERSAMPLING = 2  # drawn so much larger and scaled down, for smooth lines
_CAMERA_YAW, _CAMERA_PITCH = np.radians(28.0), np.radians(14.0)
# In body heights: distance of the camera, height of the picture at least, height that the camera looks at.
_DISTANCE, _VIEW, _LOOK_AT = 4.0, 1.3, 0.45
# What moves beyond that is shown from further away, with so much around it; but a single frame in which a joint is far
# off must not make the rest a dot.
_AROUND, _WIDEST = 0.09, 5.0
_FOLLOW_SIGMA = 6.0  # frames; the camera follows the smoothed way of the root
_PATH_FRAMES = 400  # of the way behind the body; drawing all of a long motion's would take longer with every frame
_GRID_REACH = 6  # grid lines on each side of the middle
_FARTHEST = 1e6  # of any unit: a motion is no journey
_METRE_BODY = (0.9, 2.6)  # a body of such a height is in metres


@dataclass(frozen=True, eq=False)
class DrawnClip:
    """A motion to draw: joints (T, J, 3) as `joints_of_motion` gives them, and the text above the picture."""

    joints: np.ndarray
    title: str = ""


class MotionView:
    """Draws single frames of one clip. The number of joints tells the skeleton, and the body sets the scale."""

    def __init__(self, clip: DrawnClip, size: int, title_height: int = 0) -> None:
        self.joints = drawable_joints(clip.joints)
        self.skeleton = skeleton_with_joints(self.joints.shape[1])
        self.title, self.size, self.title_height = clip.title, size, title_height
        self.height = body_height(self.joints, self.skeleton)
        self.grid_step = 0.5 if _METRE_BODY[0] < self.height < _METRE_BODY[1] else 0.3 * self.height
        self.follow = smoothed(self.joints[:, 0], _FOLLOW_SIGMA)
        self.follow[:, 1] = _LOOK_AT * self.height
        self.bones = bones(self.skeleton)
        self.colours = [_COLOURS[side_of(self.skeleton.joint_names[child])] for _, child in self.bones]
        self.view, self.lift = self._framing()

    def frame(self, index: int, label: str = "") -> Image.Image:
        """An RGB picture (size, size + title_height) of frame `index`, or of the last one behind the end."""
        index = min(index, len(self.joints) - 1)
        scale = _SUPERSAMPLING
        picture = Image.new("RGB", (self.size * scale, (self.size + self.title_height) * scale), "white")
        draw = ImageDraw.Draw(picture)
        target = self.follow[index]
        self._draw_ground(draw, index, target)
        self._draw_body(draw, self.joints[index], target)
        picture = picture.reduce(scale)
        self._draw_text(picture, label)
        return picture

    def _framing(self) -> tuple[float, float]:
        """Height of the picture, and by how much its middle is raised, so that no frame is cut off: in body heights."""
        on_floor = self.joints * np.array([1.0, 0.0, 1.0])  # the shadow
        points = np.concatenate([self.joints, on_floor], axis=1)
        across, upwards, _ = self._seen(points, self.follow[:, None])
        half = np.abs(across).max() + _AROUND
        low, high = upwards.min() - _AROUND, upwards.max() + _AROUND
        view = float(max(_VIEW, 2 * half, high - low))
        if view > _WIDEST:
            return _WIDEST, 0.0
        return view, float(np.clip(0.0, high - view / 2, low + view / 2))

    def _seen(self, points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(..., 3) -> how far to the right and up they are seen, and depth towards the camera, in body heights."""
        sin_yaw, cos_yaw, sin_pitch, cos_pitch = (
            f(angle) for angle in (_CAMERA_YAW, _CAMERA_PITCH) for f in (np.sin, np.cos)
        )
        toward = np.array([sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch])
        right = np.array([cos_yaw, 0.0, -sin_yaw])
        up = np.cross(toward, right)
        relative = (points - target) / self.height
        depth = relative @ toward
        nearer = _DISTANCE / np.maximum(_DISTANCE - depth, 0.5)
        return nearer * (relative @ right), nearer * (relative @ up), depth

    def _project(self, points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) -> pixel positions (N, 2) and depth towards the camera (N,), by perspective."""
        across, upwards, depth = self._seen(points, target)
        pixels, middle = self.size * _SUPERSAMPLING / self.view, self.size * _SUPERSAMPLING / 2
        x = middle + pixels * across
        y = middle + self.title_height * _SUPERSAMPLING - pixels * (upwards - self.lift)
        return np.stack([x, y], axis=-1), depth

    def _draw_ground(self, draw: ImageDraw.ImageDraw, index: int, target: np.ndarray) -> None:
        step = self.grid_step
        centre = np.round(target[[0, 2]] / step) * step
        ends = np.array([-_GRID_REACH, _GRID_REACH]) * step
        for line in np.arange(-_GRID_REACH, _GRID_REACH + 1) * step:
            for x, z in (([line, line], ends), (ends, [line, line])):
                points = np.stack([np.add(x, centre[0]), np.zeros(2), np.add(z, centre[1])], axis=-1)
                self._line(draw, self._project(points, target)[0], GRID_COLOUR, 0.004)
        path = self.joints[max(0, index - _PATH_FRAMES) : index + 1, 0] * np.array([1.0, 0.0, 1.0])
        if len(path) > 1:
            self._line(draw, self._project(path, target)[0], PATH_COLOUR, 0.012)
        shadow = self._project(self.joints[index] * np.array([1.0, 0.0, 1.0]), target)[0]
        for bone in self.bones:
            self._line(draw, shadow[list(bone)], SHADOW_COLOUR, 0.022)

    def _draw_body(self, draw: ImageDraw.ImageDraw, joints: np.ndarray, target: np.ndarray) -> None:
        pixels, depth = self._project(joints, target)
        far_to_near = sorted(range(len(self.bones)), key=lambda bone: depth[list(self.bones[bone])].mean())
        for bone in far_to_near:
            self._line(draw, pixels[list(self.bones[bone])], self.colours[bone], 0.03)
        self._disc(draw, pixels[self.skeleton.joint("head")], CENTRE_COLOUR, 0.055)

    def _line(self, draw: ImageDraw.ImageDraw, points: np.ndarray, colour: tuple[int, int, int], width: float) -> None:
        """A line with round ends; `width` in body heights."""
        pixels = width * self.size * _SUPERSAMPLING / self.view
        draw.line([tuple(point) for point in points], fill=colour, width=max(int(pixels), 1), joint="curve")
        if pixels > 6:
            for point in (points[0], points[-1]):
                self._disc(draw, point, colour, width / 2)

    def _disc(self, draw: ImageDraw.ImageDraw, centre: np.ndarray, colour: tuple[int, int, int], radius: float) -> None:
        reach = radius * self.size * _SUPERSAMPLING / self.view
        draw.ellipse([*(centre - reach), *(centre + reach)], fill=colour)

    def _draw_text(self, picture: Image.Image, label: str) -> None:
        font_size = max(self.size // 26, 11)
        if self.title_height:
            picture.paste(title_strip(self.title, self.size, self.title_height, font_size), (0, 0))
        if label:
            font = ImageFont.load_default(size=font_size)
            ImageDraw.Draw(picture).text((8, picture.height - 8), label, LABEL_COLOUR, font, anchor="ls")


def title_strip(title: str, width: int, height: int, font_size: int) -> Image.Image:
    """A white picture (width, height) with the title in lines; a word or line that does not fit is cut."""
    font = ImageFont.load_default(size=font_size)
    lines: list[str] = []
    # Halves of characters and control characters come from files and shells; a font has no picture of them.
    title = title.encode("utf-8", "replace").decode("utf-8")
    for word in "".join(char if char.isprintable() else " " for char in title).split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width - 16:
            lines[-1] = joined
        else:
            lines.append(word)
    strip = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(strip).multiline_text((8, 4), "\n".join(lines), CENTRE_COLOUR, font)
    return strip


def drawable_joints(joints: np.ndarray) -> np.ndarray:
    """(T, J, 3) in float64. Raises InputError, naming the frame, where a joint is nowhere that could be drawn."""
    joints = joints.astype(np.float64)
    far = ~(np.abs(joints) < _FARTHEST)  # also what is not finite
    if far.any():
        frame = int(np.flatnonzero(far.reshape(len(joints), -1).any(axis=1))[0])
        raise InputError(f"frame {frame}: a joint lies at {joints[frame][far[frame]][0]:.3g}, which cannot be drawn")
    return joints
