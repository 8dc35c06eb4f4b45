# Mail::DKIM as a long-lived process: verifies and signs. verdict.py describes the frames.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM;
use Mail::DKIM::DNS;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS;

binmode STDIN;
binmode STDOUT;
my ( %records, %keys );
# Debian 12's Mail::DKIM knows RSA only; later ones have the other algorithm's class.
my @algorithms = ('rsa-sha256');
push @algorithms, 'ed25519-sha256' if eval { require Mail::DKIM::Algorithm::ed25519_sha256; 1 };

# Records is the resolver that Mail::DKIM asks.
package Records {
    sub new { return bless {}, shift }
    sub errorstring { return 'NOERROR' }

    sub send {
        my ( undef, $name, $type ) = @_;
        my $packet = Net::DNS::Packet->new( $name, $type );
        $packet->header->qr(1);
        my $text = $records{ lc $name };
        if ( defined $text ) {
            $packet->push( answer => Net::DNS::RR->new( name => $name, type => 'TXT', txtdata => [ unpack '(a255)*', $text ] ) );
        }
        else {
            $packet->header->rcode('NXDOMAIN');
        }
        return $packet;
    }
}

sub take {
    my ($n) = @_;
    my $data = '';
    while ( length $data < $n ) {
        read( STDIN, $data, $n - length $data, length $data ) or exit 0;
    }
    return $data;
}

sub frame { return take( unpack 'N', take(4) ) }

sub answer {
    my $data = JSON::PP->new->ascii->encode(shift);
    print pack( 'N', length $data ), $data;
    STDOUT->flush;
    return;
}

sub verify {
    my ($message) = @_;
    local $SIG{__WARN__} = sub { };    # Mail::DKIM warns of tags that a damaged signature lacks
    my $v = Mail::DKIM::Verifier->new;
    $v->PRINT($message);
    $v->CLOSE;
    return [ map { { ok => $_->result eq 'pass' ? JSON::PP::true : JSON::PP::false, err => $_->result_detail } } $v->signatures ];
}

sub sign {
    my ( $query, $message ) = @_;
    my $s = Mail::DKIM::Signer->new(
        Algorithm => $query->{algorithm},
        Method    => "$query->{header}/$query->{body}",
        Domain    => $query->{domain},
        Selector  => $query->{selector},
        Key       => Mail::DKIM::PrivateKey->load( Data => $keys{rsa} ),
    );
    $s->PRINT($message);
    $s->CLOSE;
    return { field => $s->signature->as_string . "\015\012", err => '' };
}

Mail::DKIM::DNS::resolver( Records->new );
while (1) {
    my ( $query, $message ) = ( decode_json( frame() ), frame() );
    if ( $query->{op} eq 'hello' ) {
        %records = %{ $query->{records} };
        %keys    = %{ $query->{keys} };
        $keys{rsa} =~ s/-----[^-]+-----|\s//g;
        answer( { version => "Mail::DKIM $Mail::DKIM::VERSION", algorithms => \@algorithms } );
    }
    elsif ( $query->{op} eq 'verify' ) {
        answer( verify($message) );
    }
    else {
        my $signed = eval { sign( $query, $message ) };
        answer( $signed // { field => '', err => "$@" } );
    }
}
