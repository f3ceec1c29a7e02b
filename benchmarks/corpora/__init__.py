"""Made corpora whose texts can be checked: a book of tunes in ABC notation, a list of molecules as SMILES."""
