"""The processor's features from /proc/cpuinfo."""

from pathlib import Path

from app.core.cpu import cpu_name, has_bfloat16

CORE = """processor\t: {number}
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu avx512f {flags}

"""


def test_the_name_and_bfloat16(tmp_path: Path) -> None:
    with_it, without = tmp_path / "with", tmp_path / "without"
    with_it.write_text("".join(CORE.format(number=number, flags="avx512_bf16") for number in range(2)))
    without.write_text(CORE.format(number=0, flags="avx512_vnni"))
    assert cpu_name(with_it) == "AuthenticAMD AMD EPYC 25 17"
    assert (has_bfloat16(with_it), has_bfloat16(without), has_bfloat16(tmp_path / "none")) == (True, False, False)
    assert cpu_name(tmp_path / "none") == ""
