"""`make bench-guard`"""

from benchmarks.parts import main

if __name__ == "__main__":
    main("guard", "Guard", ("personal", "attacks", "moderation", "watermark", "onoff", "speed"))
