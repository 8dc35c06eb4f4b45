package words

var koreanMTA = map[string]string{}
