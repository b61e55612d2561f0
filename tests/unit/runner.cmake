remex_unit(runner LINKS remex_runner)
remex_unit(sandbox LINKS remex_runner)
remex_threads(runner LINKS remex_runner)
remex_unit(worker LINKS remex_server)
