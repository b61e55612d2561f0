# A header in curl's form is refused without showing the secret in it
remex caps --header 'Authorization: Bearer c2VjcmV0Cg=='
