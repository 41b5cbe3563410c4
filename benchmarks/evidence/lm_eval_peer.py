"""Run by the peer's Python: items on standard input, what lm-evaluation-harness chooses and its seconds as JSON."""

import json
import sys
import time

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

torch.set_num_threads(1)
items = json.load(sys.stdin)
model = HFLM(pretrained=sys.argv[1], device="cpu", dtype="float32", batch_size=4)


def score(some):
    requests = [
        Instance("loglikelihood", {}, (item["prompt"], choice), n)
        for n, item in enumerate(some)
        for choice in item["choices"]
    ]
    found = [value for value, _ in model.loglikelihood(requests, disable_tqdm=True)]
    return [max(range(4), key=lambda k: found[4 * n + k]) for n in range(len(some))]


score(items[:1])
began = time.perf_counter()
chosen = score(items)
print(json.dumps({"chosen": chosen, "seconds": time.perf_counter() - began}))
