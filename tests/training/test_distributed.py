"""Training in two processes."""

import subprocess
import sys

import pytest
from requirements import require_package

from stream_sep.errors import ConfigError

require_package("torch", "train")

import torch
from tiny_training import config

from stream_sep.training.distributed import Distributed
from stream_sep.training.trainer import Trainer


def together(*arguments):
    """Run a script in two processes that can talk to each other."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_two_processes_train_one_network(home, tmp_path):
    """As `torchrun` starts them: both end with the same weights, of twice as many mixes, and one of them writes."""
    script = tmp_path / "both.py"
    script.write_text(
        "import os, sys, torch\n"
        "from pathlib import Path\n"
        "from stream_sep.training.config_file import read_config\n"
        "from stream_sep.training.trainer import Trainer\n"
        "torch.set_num_threads(1)\n"
        "trainer = Trainer(read_config(Path(sys.argv[1])), Path(sys.argv[2]), device='cpu')\n"
        "drawn = trainer._sampler.sample(1, 100).stems.clone()\n"
        "trainer.run(lambda text: print(text))\n"
        "torch.save([drawn, dict(trainer.model.state_dict())], sys.argv[2] + os.environ['RANK'])\n"
    )
    config(home, "team", steps=3)
    out = tmp_path / "team"
    done = together(script, home / "team.toml", out)
    assert done.stdout.count("step 3:") == 1
    (drawn, one), (other_drawn, other) = (torch.load(f"{out}{rank}") for rank in range(2))
    assert not torch.equal(drawn, other_drawn)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert Trainer(config(home, "team", steps=3), out, device="cpu").step == 3


def test_average_gradient_of_two_processes_is_that_of_the_whole_batch(tmp_path):
    script = tmp_path / "mean.py"
    script.write_text(
        "import torch\n"
        "from stream_sep.training.distributed import Distributed\n"
        "team = Distributed.join()\n"
        "a, b = (torch.zeros(shape, requires_grad=True) for shape in ((2, 3), (4,)))\n"
        "(a.sum() * (team.rank + 1) + b.sum() * 10 * team.rank).backward()\n"
        "team.average_gradients([a, b])\n"
        "assert torch.equal(a.grad, torch.full((2, 3), 1.5)) and torch.equal(b.grad, torch.full((4,), 5.0))\n"
        "assert team.first(float(team.rank + 7), a.device) == 7\n"
        "assert team.any(value=team.rank == 1, device=a.device) and not team.any(value=False, device=a.device)\n"
        "team.shutdown()\n"
    )
    together(script)


@pytest.mark.skipif(sys.platform != "linux", reason="names of threads are read from /proc")
@pytest.mark.parametrize("end", ["team.shutdown()", "raise SystemExit(0)"])
def test_threads_of_the_group_end_before_python_does(tmp_path, end):
    """One that frees a tensor while the interpreter exits aborts the process: "terminate called ..."."""
    script = tmp_path / "threads.py"
    script.write_text(
        "import atexit, os, torch\n"
        "from pathlib import Path\n"
        "from stream_sep.training.distributed import Distributed\n"
        "def names():\n"
        "    return [path.read_text().strip() for path in Path('/proc/self/task').glob('*/comm')]\n"
        "def report():\n"
        "    os.write(1, ' '.join(['left:', *(name for name in names() if 'gloo' in name), '\\n']).encode())\n"
        "atexit.register(report)\n"
        "team = Distributed.join()\n"
        "weight = torch.nn.Parameter(torch.ones(2))\n"
        "weight.sum().backward()\n"
        "team.average_gradients([weight])\n"
        "torch.optim.AdamW([weight]).step()\n"
        "assert any('gloo' in name for name in names())\n" + end + "\n"
    )
    assert together(script).stdout.split() == ["left:", "left:"]


def test_batch_that_cannot_be_divided_is_rejected():
    with pytest.raises(ConfigError, match="a batch of 7 cannot be shared by 2"):
        Distributed(0, 2).local_batch(7)
