"""The program under test."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("FAIRLEAD_BUILD") or os.path.join(ROOT, "build")
BINARY = os.path.join(BUILD, "fairlead")
