// Package tree is what a rule or an option looks like before it means
// something: a node with its place in the file, sizes and durations, and the
// word that was probably meant. It knows no file format and none of our rooms.
package tree

// Kind is the shape of a Node.
type Kind uint8

const (
	Null   Kind = iota // written as nothing, ~ or null
	Scalar             // text, number, true, false
	List
	Map
)

func (k Kind) String() string {
	switch k {
	case Scalar:
		return "a single value"
	case List:
		return "a list"
	case Map:
		return "a map"
	}
	return "nothing"
}

// Node is one value of a configuration file, free of any file format.
type Node struct {
	Line, Column int // 1-based; 0 for values that no file wrote
	Kind         Kind
	Scalar       string // of Kind Scalar: the text without quotes
	Quoted       bool   // the scalar was written in quotes
	Items        []Node // of List and Map
	Keys         []Node // of Map: scalars, parallel to Items
}

// Get returns the value of a map's key, nil when it is absent.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Keys {
		if n.Keys[i].Scalar == key {
			return &n.Items[i]
		}
	}
	return nil
}
