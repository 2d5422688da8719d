// A small vocabulary for where no published one is at hand: letters, digits, ASCII's punctuation, common English words
// and endings, a selection from that of bert-base-uncased (Apache 2.0) in its order.
#include "small_vocabulary.h"

#include <algorithm>
#include <string_view>

namespace percale::language {
namespace {

constexpr std::string_view pieces = R"pieces(
[PAD] [UNK] [CLS] [SEP] [MASK] ! " # $ % & ' ( ) * + , - . / : ; < = > ? @ [ \ ] ^ _ ` { | } ~ 0 1 2 3 4 5 6 7 8 9 a b
c d e f g h i j k l m n o p q r s t u v w x y z ##0 ##1 ##2 ##3 ##4 ##5 ##6 ##7 ##8 ##9 ##a ##b ##c ##d ##e ##f ##g
##h ##i ##j ##k ##l ##m ##n ##o ##p ##q ##r ##s ##t ##u ##v ##w ##x ##y ##z the of and in to was he is as for on with
that it his by at from her she you had an were but be this are not my they one which or have him me first all also
their has up who out been when after there into new two its time would no what about said we over then other so more
can if like back them only some could where just during before do made school through than now years most world may
between down well three year while will later city under around did such being used state people part know against
your many second university both national these don known off way until re how even get head didn team american
because de born united film since still long work south us became any high again day family see right man eyes house
season war states including took life north same each called name much place however go four group another found won
area here going away series left home music best make hand number company several never last john very album take end
good too following released game played little began district old want those side held own early county ll league use
west face think government march came small general town june line based something september thought looked along
international air july club went january october our august april york few east show member college father public come
men five set station church next former november room party located december age got system let love though every look
song water century without body black night within great women single ve building large population river named band
white started once should service top built british open king moved local times children february book why door need
president order final road wasn although due major died village third knew asked turned st wanted say together
received main son served different behind himself felt members power football law voice play near park history having
saw mother army point front help english street art late hands games award young put published country division across
told often ever french london center six red led days include light find tell among species really according central
half form original gave office making enough lost full opened must included live given german player run business
woman community cup might million land court development short round ii km seen class story always become sure
research almost director council la career things using island couldn car close force better free support control
field students education married nothing worked others record big inside level anything continued give james military
established non returned feel does title written thing feet william far co association hard already championship human
western department hall role various production heart living fire version television royal produced working act case
society region present radio period looking least total keep england wife program per brother mind special am works
soon political george services taken created further able reached david union joined upon done important social
information either appeared position ground lead rock dark election board france hair course arms site police girl
instead real sound words moment someone summer project announced san less wrote past followed blue founded al finally
india taking records america design considered northern god stop battle toward european outside described track today
playing language call heard professional low australia miles california win yet green trying blood southern science
maybe everything match square mouth video race recorded leave above daughter points space museum change middle common
move tv post lake seven tried elected closed ten paul minister months start chief return canada person sea release
similar modern brought rest hit formed mr floor event doing thomas robert care training star week needed turn finished
railway rather news health sent example ran term michael coming currently yes forces despite gold areas stage fact
says popular originally germany probably developed result pulled friend stood money running mi signed word songs child
eventually met tour average teams minutes festival current deep kind decided usually eastern seemed episode bed added
table indian private charles route available idea throughout centre addition appointed style books eight construction
press mean wall friends remained schools study institute oh chinese sometimes events possible australian type brown
forward talk process food debut seat performance committee features character arts herself else lot strong russian
range hours peter arm morning dr sold quickly directed guitar china list performed media uk players smile myself
placed coach province towards wouldn leading whole boy official designed grand census europe attack japanese henry
cross getting alone action lower network wide washington japan hospital believe changed sister hold gone sir hadn ship
studies academy shot rights below base bad involved kept largest bank future especially beginning mark movement
section female magazine plan professor lord longer sat walked hill actually civil energy model families size thus
aircraft completed includes data captain fight vocals featured richard bridge fourth officer stone hear means medical
groups management self lips competition entire lived technology leaving federal tournament bit passed hot independent
awards kingdom mary spent fine doesn reported jack fall raised itself stay true studio sports replaced paris systems
saint leader theatre whose market capital parents spanish canadian earth cut degree writing bay christian awarded
natural higher bill coast provided previous senior ft valley organization stopped onto countries parts conference
queen security interest saying allowed master earlier phone matter smith winning try happened moving campaign los
breath nearly mid certain girls date italian african standing fell artist shows deal mine industry everyone republic
provide collection library student primary owned older via heavy makes attention anyone africa stated length ended
fingers command staff skin foreign opening governor okay medal kill sun cover job introduced chest hell feeling
success meet reason standard meeting novel trade source buildings rose guy goal chapter native husband previously unit
limited entered weeks producer operations mountain takes covered forced related roman complete successful key texas
cold channel traditional films dance clear approximately nine van prince question active tracks ireland regional
silver author personal sense operation economic holding twenty isbn additional speed hour edition regular historic
places whom shook movie secretary prior report chicago read foundation view engine scored units ask airport property
ready immediately lady month listed contract manager themselves lines navy writer meant runs practice championships
singer glass commission required forest starting culture generally giving access attended test couple stand catholic
martin caught executive eye thinking chair quite shoulder hope decision plays defeated municipality whether structure
offered slowly pain ice direction paper mission mostly noted individual managed nature lives plant helped except
studied computer figure relationship issue significant loss die smiled gun ago highest male bring goals mexico problem
distance commercial completely location annual famous drive neck surface caused italy understand greek highway wrong
hotel comes appearance joseph double issues musical companies castle income review assembly bass initially parliament
artists experience particular walk foot engineering talking window dropped miss baby boys break stars edge remember
policy carried train stadium bar angeles evidence becoming assistant soviet upper step wing youth financial reach
actor numerous nodded arrived minute believed sorry complex beautiful victory associated temple chance perhaps metal
bishop lee launched particularly tree le retired subject prize contains yeah theory empire suddenly waiting trust
recording happy terms camp champion religious pass zealand names port ancient tom corner represented watch legal anti
justice cause watched brothers material changes simply response louis fast answer historical stories straight create
feature increased rate administration virginia el activities cultural overall winner programs basketball legs guard
beyond cast doctor mm flight results remains cost effect winter larger islands problems chairman grew commander isn
pay failed selected hurt fort box regiment majority journal edward plans shown pretty irish characters directly scene
likely operated allow spring junior matches looks mike houses fellow beach marriage rules oil florida expected nearby
congress sam peace recent iii wait subsequently cell variety serving agreed please poor joe pacific attempt wood
democratic piece prime rural mile touch appears township soldiers pennsylvania closer fighting claimed score jones
physical editor filled genus specific sitting super mom therefore supported status fear cases store meaning wales
minor spain tower focus vice frank follow parish separate golden horse fifth remaining branch presented stared uses
secret forms baseball exactly choice note discovered travel composed truth russia ball color kiss dad wind continue
ring referred numbers digital greater metres slightly direct increase responsible crew rule trees troops broke goes
individuals hundred weight creek sleep memory defense provides ordered code value jewish windows safe judge whatever
corps realized growing pre cities alexander gaze lies spread scott letter showed situation mayor transport watching
workers extended expression normal chart multiple border host daily mrs walls piano heat cannot earned products drama
era authority seasons join grade sign difficult machine territory mainly stations squadron stepped iron serve appear
sky speak broken charge knowledge kilometres removed ships article campus simple pushed britain leaves recently cd
soft boston latter easy acquired image wild offer reading ministry smaller cars pop acting online vote levels safety
agreement save nice teacher shut build picture elections fish dog bus none growth pair search treatment gives ways
questions software mountains orchestra agency storm protect teeth rise path letters bought becomes ocean coffee sounds
tax leaders falls moon plants classes quarter disease reports holds reduced stayed receive twelve vampire missing wave
critics bright supply orders afraid avoid extra votes develop wine stock surprised rain injury clean bear fun
officials snow orange catch fund reaction chain rare vehicles factory defence arrested villages worry bird truck
programme origin planet climate dangerous rising restaurant finds towns fly strike hole accident wear cat map tank
wondered homes patients drawing teachers stairs clock plate accept outstanding crossing budget asks thousands row wins
hate passes dates chase causes rescue cash file tired attend measure rivers flew grass charges appeal belt add
hundreds grandfather branches decide fishing returns forty businesses zero visitors sleeping coastal boss jobs tests
restored satellite parallel waste charity agree adults shoes meets sending battery plastic markets colour rates knee
trading statue baker sentence stick fault remove chemistry injuries lifetime milk sad scientists pole limits remote
reaches wondering farmers sharing fat steady funeral yours eggs distant tourism discuss drivers buffalo exercise
switch researchers links lion bigger bull climb ferry waved jail voters ban atmosphere winds lowest shops walks
doctors harbour opens yesterday talks conductor hello prices flights pairs framework shelter elevator ministers wheels
virus rider input chicken bike enters clouds hardware protests tissue banking twins joke monk hospitals earthquake
delayed eyebrows fewer experts crack airline wolves pile bags fires math cheese ate log favourite invisible cats
counted rubber extends gravity urge galaxy zoo migration runway maker witnesses flooding rises shame findings lawyers
mama fog corn flies bells bicycle magnitude tips repairs framed blades wheat promises roberto elephant pollution
heating shakes dealer whispers mist cow dressing ghosts planets profits doubled vegetables horns homeless warn balcony
toe chips tooth holidays wool unemployment meals passport alphabet publishes telescope volcano garbage jokes facial
atoms brake banker genome skeleton sadly bees resume librarian renewable lazy penguin investigator inflation potato
closes polls grape drought pencil smells ads deficit consuming banana trousers threaten leaked dinosaur shortage
sticky vocabulary salad gaps fridge supermarket sunglasses cows cookie vaccine vest announces nut deepest recalls
laced bakery squirrel bumps mushroom unemployed archaeologists generates captures spoiled flu forecast landslide
lawsuits bulb golfer destroys tomato pouch boogie celebrates kangaroo swimmers cyclists wetland bison parrot walkers
organise satisfactory pointless dough broom dentist drones carrot astronauts sheds uncover poorer dawned peeling
programmers dementia alligator chants ##ing ##ed ##er ##ly ##es ##on ##us ##an ##en ##in ##man ##al ##ia ##is ##ra
##na ##ers ##le ##ic ##te ##ne ##ie ##ton ##ta ##th ##la ##ness ##ch ##um ##da ##ry ##ma ##rs ##el ##re ##os ##ar ##ka
##ist ##ian ##or ##ism ##ling ##ity ##as ##ley ##ted ##ng ##ville ##able ##ri ##ies ##land ##ur ##ya ##ine ##de ##ki
##ts ##ro ##less ##ey ##ion ##ha ##am ##ter ##ge ##ll ##se ##st ##ation ##nt ##son ##et ##ce ##to ##ting ##ble ##ke
##ni ##tion ##ham ##ive ##do ##ca ##men ##ized ##ous ##va ##id ##co ##ck ##ns ##no ##ga ##li ##ment ##ba ##ner ##ko
##ate ##io ##wood ##led ##ty ##ve ##sa ##by ##ier ##ti ##field ##ford ##ja ##ler ##ally ##ina ##ization ##ful ##go
##il ##at ##hi ##berg ##der ##sh ##rd ##lin ##lo ##ot ##za ##me ##ius ##line ##den ##it ##wa ##ad ##ite ##que ##ard
##les ##ff ##tor ##age ##di ##ir ##mi ##est ##ria ##ze ##well ##ated ##ee ##ah ##ji ##ov ##pa ##ish ##ps ##tes ##lla
##way ##house ##tic ##ger ##un ##ant ##burg ##ura ##town ##ding ##tte ##ping ##ize ##ay ##ging ##ol ##ss ##ent ##tt
##be ##ky ##ak ##ial ##han ##per ##nd ##ls ##ai ##au ##ny ##ring ##ut ##bury ##kin ##ron ##head ##ow ##ium ##mer ##pe
##sen ##ong ##ised ##bo ##ds ##ists ##ries ##dy ##ana ##worth ##ide ##ea ##ms ##nes ##don ##ku ##gan ##mo ##pur ##ul
##si ##rt ##ell ##om ##he ##ure ##ara ##che ##ney ##zed ##chi ##ik ##ker ##ski ##ini ##ran ##tone ##ica ##jo ##ise
##ung ##ning ##red ##ux ##gh ##hip ##gs ##dale ##bi ##one ##ons ##ary ##ang ##ue ##cy ##ors ##ped ##ber ##and ##ore
##ks ##im ##ded ##vi ##ino ##tz ##tan ##lan ##mann ##tus ##zi ##out ##ating ##gi ##gate ##sky ##water ##her ##nce ##bs
##ek ##tta ##back ##more ##ged ##tive ##izing ##ola ##yn ##res ##idae ##cing ##ens ##ii ##des ##cs ##shi ##sis ##work
##ft ##nia ##van ##lle ##ster ##board ##up ##zer ##gy ##ver ##ac ##ious ##bly ##ied ##su ##vin ##bridge ##ld ##port
##ram ##ities ##ving ##je ##logy ##sm ##tra ##so ##sy ##ora ##ten ##istic ##ics ##ok ##ming ##ett ##ily ##ita ##tors
##ct ##ice ##lia ##em ##isation ##ance ##rin ##ye ##kar ##ened ##ae ##ua ##sk ##ano ##vo ##zing ##ach ##ev ##ology
##ud ##ata ##ick ##ho ##ese ##ru ##rum ##rn ##king ##gar ##zo ##ered ##lis ##dae ##rian ##po ##lli ##ci ##era ##gen
##tti ##sed ##ris ##ves ##ans ##uk ##oy ##hu ##fa ##ible ##ich ##yan ##tory ##ians ##ula ##ins ##ani ##sson ##lt
##hill ##ova ##ston ##ao
)pieces";

}  // namespace

WordPiece small_vocabulary() {
  std::string lines(pieces.substr(1));  // behind the first line feed
  std::replace(lines.begin(), lines.end(), ' ', '\n');
  return WordPiece::from_vocabulary(io::Source(lines, "the small vocabulary"));
}

}  // namespace percale::language
