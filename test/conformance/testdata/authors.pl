# Email::Address::XS and Mail::Address as a long-lived process: whom they take for the authors of From fields.
# authors.py describes requests and answers.
use strict;
use warnings;
use Email::Address::XS;
use Encode;
use IO::Handle;
use JSON::PP;
use MIME::Base64;
use Mail::Address;

binmode STDIN;
binmode STDOUT;
$SIG{__WARN__} = sub { };    # Mail::Address complains of each field

sub take {
    my ($n) = @_;
    my $data = '';
    while ( length $data < $n ) {
        read( STDIN, $data, $n - length $data, length $data ) or exit 0;
    }
    return $data;
}

sub frame { return take( unpack 'N', take(4) ) }

# Bytes that are no UTF-8 are shown as such.
sub text {
    return map { utf8::is_utf8($_) ? $_ : decode( 'UTF-8', $_ ) } grep { defined } @_;
}

while (1) {
    my $query = decode_json( frame() );
    frame();
    my @answer;
    for my $value ( map { decode_base64($_) } @{ $query->{fields} } ) {
        ( my $unfolded = $value ) =~ s/\r?\n(?=[ \t])//g;
        push @answer, {
            'Email::Address::XS' => [ text( eval { map { $_->address } Email::Address::XS->parse($unfolded) } ) ],
            'Mail::Address'      => [ text( eval { map { $_->address } Mail::Address->parse($unfolded) } ) ],
        };
    }
    my $data = encode_json( \@answer );
    print pack( 'N', length $data ), $data;
    STDOUT->flush;
}
