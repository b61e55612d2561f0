# A file that --config names must be there
remex --config absent.yaml caps
