"""The data set: TSBS's cpu-only shape. Ten tags, ten fields, a point every ten seconds, random walks between 0 and 100.

Written once per shape and kept: line protocol in bodies for the servers, CSV for the engines that load files.
"""

import json
from pathlib import Path

import numpy as np

START = 1_451_606_400  # 2016-01-01T00:00:00Z
EVERY = 10
STEPS = 24 * 3600 // EVERY
LINES_A_BODY = 5_000
FIELDS = [
    "usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait",
    "usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice",
]
TAGS = ["arch", "datacenter", "hostname", "os", "rack", "region", "service", "service_environment", "service_version", "team"]


def tags(host):
    regions = ["eu-central-1", "us-east-1", "us-west-2", "ap-southeast-1", "sa-east-1"]
    region = regions[host % 5]
    return [
        ["x64", "x86"][host % 2], f"{region}{'abc'[host % 3]}", f"host_{host}", ["Ubuntu15.10", "Ubuntu16.10", "Ubuntu16.04LTS"][host % 3],
        str(host % 97), region, str(host % 19), ["production", "staging", "test"][host % 3], str(host % 2), ["SF", "NYC", "LON", "CHI"][host % 4],
    ]


class Shape:
    def __init__(self, hosts, decimals):
        self.hosts, self.decimals = hosts, decimals
        self.points = hosts * STEPS
        self.values = self.points * len(FIELDS)

    def name(self):
        return f"cpu-{self.hosts}x24h-{'decimals' if self.decimals else 'integers'}"

    def walks(self):
        """(hosts, STEPS, fields) in hundredths: legacy MT19937, whose stream numpy keeps for good."""
        random = np.random.RandomState(7)
        state = random.uniform(0, 100, size=(self.hosts, len(FIELDS)))
        for _ in range(STEPS):
            state = np.clip(state + random.normal(0, 1, size=state.shape), 0, 100)
            yield state

    def write(self, folder):
        """Makes the files unless they are there; gives their folder."""
        folder = Path(folder) / self.name()
        done = folder / "done"
        if done.is_file():
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        heads = ["cpu," + ",".join(f"{key}={value}" for key, value in zip(TAGS, tags(host))) + " " for host in range(self.hosts)]
        rows = [",".join(tags(host)) for host in range(self.hosts)]
        # Integer walks are sent as floats without a fraction, as TSBS sends them to every database.
        form = "%.2f" if self.decimals else "%d"
        pattern = ",".join(f"{field}={form}" for field in FIELDS)
        plain = ",".join(form for _ in FIELDS)
        lengths, lines, length = [], 0, 0
        with open(folder / "lines", "w") as out, open(folder / "cpu.csv", "w") as csv:
            csv.write(",".join(["time", *TAGS, *FIELDS]) + "\n")
            for step, state in enumerate(self.walks()):
                time = START + step * EVERY
                stamp = str(np.datetime64(time, "s")).replace("T", " ")
                for host, values in enumerate(state.tolist()):
                    values = tuple(values)
                    line = f"{heads[host]}{pattern % values} {time}000000000\n"
                    out.write(line)
                    csv.write(f"{stamp},{rows[host]},{plain % values}\n")
                    lines, length = lines + 1, length + len(line)
                    if lines == LINES_A_BODY:
                        lengths.append(length)
                        lines = length = 0
        if length:
            lengths.append(length)
        (folder / "bodies.json").write_text(json.dumps(lengths))
        done.write_text("")
        return folder


def bodies(folder):
    """The bodies of line protocol, one after another."""
    with open(folder / "lines", "rb") as lines:
        for length in json.loads((folder / "bodies.json").read_text()):
            yield lines.read(length)
