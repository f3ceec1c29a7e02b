"""Faults of data that can be read: what a person who knows them would call wrong, found from the data alone.

Each detector compares data with themselves: what is found stands far outside of what the same column, or the same
texts, do elsewhere. So a wild column takes more to be told than a calm one, and sound data are left alone.
"""
