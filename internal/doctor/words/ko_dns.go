package words

var koreanDNS = map[string]string{}
