"""A GPU that is pretended on a CPU: tensors carry the name of a device, kernels run on the CPU, mixing devices fails.

For a machine without a GPU, where torch's own fake tensors do not get far: on ``cuda:0`` without a CUDA build of torch
nothing can be written in place, `backward` ends the process, and no value can be looked at. Here values are real. What
torch refuses on a GPU is refused (`tests/test_pretended_gpu.py` holds the rules to those of the fake tensors), and each
time the host would wait for the GPU is counted, with the place in our code.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils import clip_grad
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.places import ROOT

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
_AMONG_ALL = object()  # of what C++ makes by itself: it goes with every device

_aten = torch.ops.aten
_COPIES = {_aten.copy_.default, _aten._to_copy.default}
_BY_INDICES = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index"}
# How large a result is, or which way to go, is known on the GPU only.
_WAITS = {
    "aten::_local_scalar_dense": "a number",
    "aten::nonzero": "nonzero",
    "aten::masked_select": "masked_select",
    "aten::equal": "equal",
    "aten::_unique2": "unique",
    "aten::unique_consecutive": "unique",
}
_NUMBERS = {"item", "__bool__", "__int__", "__float__", "__index__", "tolist"}
_NEEDS_HOST = {"numpy", "__array__", "__dlpack__"}
_NOT_LOOKED_AT = {"__repr__", "__format__", "__str__"}


class Devices:
    """Which storage is said to be on which device, and what the host waited for.

    Attributes:
        waits: (place in our code, place in a library that it called, what for) -> how often.
    """

    def __init__(self) -> None:
        self._of_storage: dict[int, tuple[StorageWeakRef, object]] = {}
        self.waits: Counter[tuple[str, str, str]] = Counter()
        self.ambient: object | None = None  # of what a call makes that was given no device
        self.counts = True  # off while a call runs that was counted as a whole, or that does not wait

    def of(self, tensor: Tensor) -> object:
        found = self._of_storage.get(tensor.untyped_storage()._cdata)
        return CPU if found is None else found[1]

    def knows(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._of_storage

    def put(self, tensor: Tensor, device: object) -> None:
        storage = tensor.untyped_storage()
        # The weak reference keeps the number from being used again for another storage.
        self._of_storage[storage._cdata] = (StorageWeakRef(storage), device)
        if len(self._of_storage) % 4096 == 0:
            self._of_storage = {key: kept for key, kept in self._of_storage.items() if not kept[0].expired()}

    def common(self, tensors: list[Tensor]) -> object:
        """The device that an operation on `tensors` gives; a lone number on the CPU goes with all."""
        found = [self.of(tensor) for tensor in tensors]
        return next((d for wanted in (GPU, CPU, _AMONG_ALL) for d in found if d == wanted), CPU)

    def wait(self, what: str) -> None:
        if self.counts:
            self.waits[*_place(), what] += 1


def _place() -> tuple[str, str]:
    """``file:function`` of the innermost frame of this project, and of the library that it called, if it called one."""
    frame, library = sys._getframe(2), ""
    while frame is not None:
        path = frame.f_code.co_filename
        place = f"{path.rpartition('/site-packages/')[2]}:{frame.f_code.co_name}"
        if "/site-packages/" in path:
            if not library and not place.startswith("torch/"):
                library = place
        elif Path(path).is_relative_to(ROOT) and "/tests/" not in path:
            return f"{Path(path).relative_to(ROOT).as_posix()}:{frame.f_code.co_name}", library
        frame = frame.f_back
    return "elsewhere", library


def _tensors(values: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _named(device: object) -> torch.device:
    device = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    return torch.device("cuda:0") if device.type == "cuda" else device


class _Operations(TorchDispatchMode):
    """Looks at every operation that reaches a kernel, also those of `backward`."""

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self._devices = devices

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        devices, given = self._devices, _tensors((args, kwargs))
        name = func._schema.name
        if given:
            self._refuse_mixing(func, name, args, given)
            device = devices.common(given)
            if device == GPU:
                self._count(func, name, args)
            if name == "aten::copy_" and devices.of(args[0]) == CPU and devices.of(args[1]) == GPU:
                devices.wait("a copy to the host")
        else:
            device = devices.ambient or _AMONG_ALL
        out = func(*args, **kwargs)
        for number, tensor in enumerate(_tensors(out)):
            if not devices.knows(tensor) and not (name == "aten::detach" or func.is_view):
                # Of a packed sequence the sizes of its batches stay on the host.
                devices.put(tensor, CPU if name == "aten::_pack_padded_sequence" and number else device)
        return out

    def _refuse_mixing(self, func, name, args, given) -> None:
        of = self._devices.of
        if name == "aten::_pack_padded_sequence":
            if of(args[1]) == GPU:
                raise RuntimeError("'lengths' argument should be a 1D CPU int64 tensor, but got one on cuda:0")
            return
        if func in _COPIES:
            return
        if name in _BY_INDICES:
            indices = [index for index in args[1] if index is not None]
            if of(args[0]) == CPU and any(of(index) == GPU for index in indices):
                raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
            given = [tensor for tensor in given if not any(tensor is index for index in indices)]
        found = {of(tensor) for tensor in given if tensor.dim() or of(tensor) != CPU} - {_AMONG_ALL}
        in_place = func._schema.is_mutable and args and isinstance(args[0], Tensor)
        if in_place and GPU in found:
            found.add(of(args[0]))
        if {CPU, GPU} <= found:
            raise RuntimeError(
                f"{name}: expected all tensors to be on one device, but found at least two devices, cuda:0 and cpu!"
            )

    def _count(self, func, name, args) -> None:
        if name in _WAITS:
            self._devices.wait(_WAITS[name])
        elif name in _BY_INDICES:
            if any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]):
                self._devices.wait("the size of a mask")
        elif name == "aten::repeat_interleave" and isinstance(args[0], Tensor) and len(args) < 2:
            self._devices.wait("repeat_interleave")


class _Calls(TorchFunctionMode):
    """Looks at every call of torch from Python: what is put on which device, and what leaves it."""

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self._devices = devices

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, devices = dict(kwargs or {}), self._devices
        name = getattr(func, "__name__", "")
        if name in _NOT_LOOKED_AT:
            return func(*args, **kwargs)
        if name == "__get__" and args:
            known = self._attribute(func, args[0])
            if known is not None:
                return known
        if name in ("cpu", "cuda", "pin_memory") and args and isinstance(args[0], Tensor):
            return self._moved(args[0], {"cpu": CPU, "cuda": GPU}.get(name, devices.of(args[0])), {}, name != "cpu")
        if name == "get_device":
            return 0 if devices.of(args[0]) == GPU else -1
        if func is torch.Tensor.to:
            return self._to(*args, **kwargs)
        if func is torch.as_tensor and isinstance(args[0], Tensor):
            return self._to(*args, **kwargs)
        if name in _NEEDS_HOST and devices.of(args[0]) == GPU:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
        at_once = name in _NUMBERS and devices.of(args[0]) == GPU
        if at_once:
            devices.wait("a list" if name == "tolist" else "a number")
        # On a GPU a plain number is written under a mask without a look at the mask, and classes are not checked.
        at_once |= name == "one_hot" or (name == "__setitem__" and not isinstance(args[2], Tensor))
        before, devices.counts = devices.counts, devices.counts and not at_once
        try:
            return self._called(func, args, kwargs)
        finally:
            devices.counts = before

    def _called(self, func, args, kwargs):
        """The call with the CPU in place of the device that it names; what it makes is said to be there."""
        devices, given = self._devices, _tensors((args, kwargs))
        wanted = kwargs.get("device")
        if wanted is not None:
            wanted, kwargs["device"] = _named(wanted), CPU
        elif getattr(func, "__name__", "") == "new_tensor":
            wanted = devices.of(args[0])
        device = wanted or (devices.common(given) if given else CPU)
        generator = kwargs.get("generator")
        if generator is not None and device != generator.device:
            raise RuntimeError(f"Expected a '{device}' device type for generator but found '{generator.device}'")
        before, devices.ambient = devices.ambient, device
        try:
            out = func(*args, **kwargs)
        finally:
            devices.ambient = before
        kept = {tensor.untyped_storage()._cdata for tensor in given}
        for tensor in _tensors(out):
            if not devices.knows(tensor) or (wanted is not None and tensor.untyped_storage()._cdata not in kept):
                devices.put(tensor, device)
        return out

    def _attribute(self, func, tensor):
        device = self._devices.of(tensor)
        device = CPU if device is _AMONG_ALL else device
        if func == torch.Tensor.device.__get__:
            return device
        if func == torch.Tensor.is_cuda.__get__:
            return device == GPU
        if func == torch.Tensor.is_cpu.__get__:
            return device == CPU
        return None

    def _to(self, tensor, *args, **kwargs):
        named = {"device": kwargs.pop("device", None)}
        flags = [name for name in ("non_blocking", "copy") if name not in kwargs]
        for value in args:
            if isinstance(value, Tensor):
                named["device"], kwargs["dtype"] = self._devices.of(value), value.dtype
            elif isinstance(value, bool):
                kwargs[flags.pop(0)] = value
            elif isinstance(value, torch.dtype):
                kwargs["dtype"] = value
            elif value is not None:
                named["device"] = value
        if named["device"] is None:
            return self._called(torch.Tensor.to, (tensor,), kwargs)
        return self._moved(tensor, _named(named["device"]), kwargs)

    def _moved(self, tensor, device, kwargs, non_blocking=False):
        devices = self._devices
        kwargs.pop("non_blocking", None)
        if devices.of(tensor) in (device, _AMONG_ALL):
            return self._called(torch.Tensor.to, (tensor,), {"device": device, **kwargs}) if kwargs else tensor
        if device == CPU:
            devices.wait("a copy to the host")
        moved = torch.Tensor.to(tensor, **{**kwargs, "copy": True})
        devices.put(moved, device)
        return moved


@contextmanager
def pretended_gpu():
    """Inside, ``cuda:0`` is a device like any other. Gives the `Devices`."""
    devices = Devices()

    def by_device(lists, *given):
        """torch groups gradients by device in C++, which knows of the CPU only."""
        groups = grouped(lists, *given)
        return {(devices.of(own[0][0]), dtype): (own, places) for (_, dtype), (own, places) in groups.items()}

    grouped = clip_grad._group_tensors_by_device_and_dtype
    # A build of torch with CUDA would lay out the weights of a GRU for cuDNN, on a GPU that is not there.
    no_cudnn = patch.object(torch.backends.cudnn, "is_acceptable", lambda tensor: False)
    with _Operations(devices), _Calls(devices), patch.object(clip_grad, grouped.__name__, by_device), no_cudnn:
        yield devices
