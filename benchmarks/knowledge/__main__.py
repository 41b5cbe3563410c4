"""`make bench-knowledge`"""

from benchmarks.parts import main

if __name__ == "__main__":
    main("knowledge", "Knowledge", ("exact", "retrieval", "sure", "disagree", "speed"))
