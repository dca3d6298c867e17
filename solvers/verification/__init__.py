"""The verification book: computed against exact or independent answers, case by case."""
