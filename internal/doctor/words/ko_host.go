package words

var koreanHost = map[string]string{}
