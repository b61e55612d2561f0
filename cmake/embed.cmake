# Writes FILES (a;b;c) as C strings named NAMES (x;y;z) into OUT: cmake -DOUT=... -DFILES=... -DNAMES=... -P embed.cmake
set(text "/* Made by cmake/embed.cmake from the files of completions/. */\n")
foreach(file name IN ZIP_LISTS FILES NAMES)
	file(READ ${file} hex HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
	string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
	string(APPEND text "static const char ${name}[] = {\n${bytes}0\n};\n")
endforeach()
file(WRITE ${OUT} "${text}")
