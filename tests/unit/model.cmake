# model: digests, names, order, and reading from a source that lies.
foreach(name digest resource action source)
	remex_unit(${name} LINKS remex_model)
endforeach()
