# An optional output may be missing
remex exec --optional-output nope -- true; remex exec --optional-output yes -- touch yes; ls
