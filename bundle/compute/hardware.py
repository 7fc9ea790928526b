"""The processor: its name, which a figure of time or cost is worth nothing without, and its instruction sets."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import torch

__all__ = ["describe_device", "has_amx", "has_avx512"]


def describe_device(device: str) -> str:
    """The device's name; of a CPU also how many threads compute."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    model = (names or [platform.processor() or platform.machine()])[0]
    threads = torch.get_num_threads()
    return f"CPU, {model}, {threads} thread{'s' if threads > 1 else ''}"


def has_avx512() -> bool:
    """Whether torch computes with AVX-512 on this CPU."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


def has_amx() -> bool:
    """Whether this CPU multiplies matrices in bfloat16 (Intel's AMX); no, where the torch release does not tell."""
    get_capabilities: Callable[[], dict[str, bool]] = getattr(torch.cpu, "get_capabilities", dict)
    return bool(get_capabilities().get("amx_bf16"))
