# Everything that enters an action, in whatever order it is given
printf '#!/bin/sh\n' >tool.sh
chmod 755 tool.sh
first=(-p a=b --virtual 'sub/gen.h=#define A 1' -e LANG=C --salt s1)
second=(-p OSFamily=Linux --input-map tool.sh=tool -e A= --timeout 90s --cwd sub -o ./out//x --do-not-cache)
remex exec --dry-run "${first[@]}" "${second[@]}" -- ./tool -x
remex exec --dry-run "${second[@]}" "${first[@]}" -- ./tool -x | sort -r | tail -n 1
