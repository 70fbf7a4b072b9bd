// r3labs/sse/v2, as in the documents' Go example. It adds ?stream= to the URL, hands over every event type
// whatever was subscribed to, and, once it has seen an id, hands over an empty event for each comment.
// Usage: go-client URL [TOKEN]; what it prints is described in ../README.md.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/r3labs/sse/v2"
)

func main() {
	client := sse.NewClient(os.Args[1])
	if len(os.Args) > 2 {
		client.Headers = map[string]string{"Authorization": "Bearer " + os.Args[2]}
	}
	client.ResponseValidator = func(_ *sse.Client, response *http.Response) error {
		if response.StatusCode != http.StatusOK {
			// Its own way is to try again for ever.
			fmt.Println("refused", response.StatusCode)
			os.Exit(0)
		}
		fmt.Println("open")
		return nil
	}
	err := client.Subscribe("cdevent", func(msg *sse.Event) {
		var cdEvent struct{ Subject struct{ ID string } }
		switch {
		case len(msg.Data) == 0:
			fmt.Println("empty")
		case string(msg.Event) != "cdevent":
			fmt.Printf("event %s %s -\n", msg.Event, msg.ID)
		case json.Unmarshal(msg.Data, &cdEvent) != nil:
			fmt.Printf("event %s %s not-json\n", msg.Event, msg.ID)
		default:
			fmt.Printf("event %s %s %s\n", msg.Event, msg.ID, cdEvent.Subject.ID)
		}
	})
	// It comes here after a clean end only, and then never connects again.
	fmt.Println("gave up", err)
}
