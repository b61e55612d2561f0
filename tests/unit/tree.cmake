# Unit and thread tests of src/tree.
remex_unit(merkle LINKS remex_tree remex_wire)
remex_unit(walk LINKS remex_tree remex_wire)
remex_unit(materialise LINKS remex_tree remex_wire)
remex_unit(collect LINKS remex_tree remex_wire)
remex_threads(walk LINKS remex_tree remex_wire)
