"""A trained model as a folder that needs no nmt: a SavedModel, its subwords, a program, a model card. Begin with
`folder.py`.

`graph.py` is what the SavedModel computes, `card.py` what the card says, `templates` how card and program read.
"""
