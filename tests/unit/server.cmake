remex_unit(store LINKS remex_server)
remex_unit(server LINKS remex_server)
remex_unit(server_exec LINKS remex_server)
remex_threads(server LINKS remex_server)
