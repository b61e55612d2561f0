remex_unit(store LINKS remex_server)
