# What put needs
remex ac put 98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4/3
echo '{' >r.json
remex ac put 98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4/3 --result r.json; echo $?
echo '{"exit_code":"0"}' >r.json
remex ac put 98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4/3 --result r.json; echo $?
remex ac put 98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4/3 --result absent.json
